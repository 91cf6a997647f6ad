"""Real services that tests start themselves, from installed packages."""
