"""Binary frames: their options, how they are found among the bytes, and the numbers in them."""
