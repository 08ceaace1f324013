"""OCPP 1.6 from outside: a real server, its API, and a raw station that plays by the specification.

The numbers are those of the public conformance cases for a central system (TC_001 to TC_088).
Beside what must be done stands what must be refused.
"""
