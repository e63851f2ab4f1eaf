"""Between commits and from outside: moving, expiring, trimming, looking for damage, copies."""
