"""The use cases of charging sessions: the only code that changes a session.

Each is a plain function that opens one transaction, locks the session first, checks, changes,
and leaves its effects to the commit. Modules: authorize, start, meter, stop, settle, calls,
expire, resume.
"""
