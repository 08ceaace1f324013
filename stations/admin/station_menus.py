"""How the buttons of a station's page are ordered: what is used daily first."""

from django.utils.translation import gettext_lazy as _

MENUS = (
    "approve",
    "start",
    {
        "title": _("Operate"),
        "items": [
            "stop",
            "unlock",
            "reset",
            "set_availability",
            "reserve",
            "set_profile",
            "clear_profiles",
            "ask_schedule",
        ],
    },
    {
        "title": _("Messages"),
        "items": [
            "trigger",
            "trigger_extended",
            "ask_diagnostics",
            "ask_log",
            "transfer_data",
            "send",
        ],
    },
    {
        "title": _("Configuration"),
        "items": [
            "read_configuration",
            "change_key",
            "undo_change",
            "apply_wishes",
            "set_meter",
            "confirm_meter",
            "forget_meter",
        ],
    },
    {
        "title": _("Access"),
        "items": [
            "list_choose",
            "list_send",
            "list_ask",
            "list_clear",
            "clear_cache",
            "send_key",
            "rotate_key",
            "renew_certificate",
            "ask_roots",
            "install_root",
        ],
    },
    {"title": _("More"), "items": ["enable", "disable", "reject", "remove"]},
)
