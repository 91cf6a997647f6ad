"""What an administrator configures: one schema behind the file, the environment and the command line.

`load()` gives a `Configuration`: the validated `Settings` and, for every key, where its value came from.
"""

from pakhus.settings.keys import Key, keys
from pakhus.settings.load import Configuration, Origin, SettingsError, load
from pakhus.settings.schema import Settings
from pakhus.settings.secret import signing_secret

__all__ = ["Configuration", "Key", "Origin", "Settings", "SettingsError", "keys", "load", "signing_secret"]
