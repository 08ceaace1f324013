"""What Kubat is compared with; each is a program of its own."""
