"""What we know of Stripe's: customers, events, invoices and payments. Stripe is the truth about money."""
