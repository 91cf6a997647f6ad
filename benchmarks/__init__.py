"""Side by side with nginx and with peers, in one run: ratios, because absolute numbers mean nothing."""
