"""The original release's module name; the settings and what they mean are in ``lib.settings.config``."""

# ruff: noqa: F401
from lib.settings.config import Config
from lib.settings.reading import load_config, merge
