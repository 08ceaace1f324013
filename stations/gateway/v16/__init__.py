"""OCPP 1.6 with its security extension: wire to facts, one use case, and back."""
