"""Roll-ups: what they say of their readings, how they are computed, stored, and computed anew."""
