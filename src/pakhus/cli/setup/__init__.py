"""`pakhus setup`: the configuration files of package clients, edited so that the edit can be taken back."""
