"""A Stripe of our own for development and tests: it speaks Stripe's wire, takes test cards, and moves no money.

It serves what this service uses of Stripe (`operations.py` lists it), and refuses what it does not act on rather than
ignoring it. Parameters are checked against, and answers completed from, the types that the `stripe` library
publishes, so that a new version of the library brings its new types along.

What it does otherwise than Stripe, knowingly: an invoice is final and collected the moment that it is made, where
Stripe leaves a renewal's open for an hour; a test clock has arrived when the call that advances it returns; there is
one currency at a time, one item a subscription, and no tax, discount or second account.
"""
