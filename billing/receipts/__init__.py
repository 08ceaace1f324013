"""Documents for people: receipts of what they paid, and statements of their account.

    issue.issue           document what was paid, in the transaction that took the money
    fiscal.register       tell the fiscal register, from the outbox
    layout.lay_out        a stored receipt in words of one language
    statement.draw_up     the movements of an account in a period
    printer, page         the same on paper, on the screen
    statement_csv         a statement as a table

What is sold is described by its seller's code (`snapshot.Sale`): nothing here knows chargers.
"""
