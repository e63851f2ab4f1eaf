"""Binary frames: what is said of them, how they are found among the bytes, and the numbers in them."""
