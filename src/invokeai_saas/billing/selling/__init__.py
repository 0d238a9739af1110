"""What people do about their plan: buy, change, cancel, come back. Stripe's pages take the cards."""
