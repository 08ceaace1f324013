"""What browsers and other companies' servers call: payment pages, webhooks, terminals."""
