"""What serves: Daphne or uvicorn, run by ourselves and to stations the same.

We decide how they listen and how they end, and hold both to `limits`; what is asked of them is told
by `config/tests/test_servers.py`. Each has `run(application, host=, port=, drain=)`.
"""

KINDS = ("daphne", "uvicorn")
