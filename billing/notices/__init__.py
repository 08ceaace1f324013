"""Drivers are told what concerns their charges and their money, by the channels they chose.

`telling` writes a notice in the transaction that causes it, `delivery` sends it from the outbox,
`choices` is who is told what by which channel. What is said of charges is the sessions' own.
"""
