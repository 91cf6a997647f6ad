"""`pakhus upload`: which file goes where (`kinds`, `plan`), and sending it (`transfer`)."""
