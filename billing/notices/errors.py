"""Why a notice did not get there; no text of these holds an address.

NoticeError
├── NotDelivered    tried again later
└── Undeliverable   never tried again: this address takes nothing
"""


class NoticeError(Exception):
    pass


class NotDelivered(NoticeError):
    pass


class Undeliverable(NoticeError):
    pass
