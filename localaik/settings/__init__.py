"""Every option once: its name, environment variable, flag, default and help text.

The environment variable is `LOCALAIK_` plus the field's name in capitals, the flag is `--` plus the name with
dashes. `load()` merges flags, variables, aliases and defaults. An empty variable counts as unset.
Times are in seconds, sizes in bytes. For limits, 0 switches the limit off unless the help text says otherwise.
"""

from localaik.settings.access import SURFACES, is_loopback, normal_origin, read_hosts, read_keys, read_origins
from localaik.settings.fields import SECRETS, SECTIONS, PdfMode, Settings
from localaik.settings.loading import (
    ALIASES,
    ENV_PREFIX,
    TEST_PREFIX,
    LoadedSettings,
    SettingsError,
    allowed_values,
    flag_name,
    load,
    sections,
    variable_name,
)

__all__ = [
    "ALIASES",
    "ENV_PREFIX",
    "SECRETS",
    "SECTIONS",
    "SURFACES",
    "TEST_PREFIX",
    "LoadedSettings",
    "PdfMode",
    "Settings",
    "SettingsError",
    "allowed_values",
    "flag_name",
    "is_loopback",
    "load",
    "normal_origin",
    "read_hosts",
    "read_keys",
    "read_origins",
    "sections",
    "variable_name",
]
