"""One transaction: what it is made of, who watches it, and what happens to a batch that has a fault.

``due`` what is to be committed, and when · ``commit`` one transaction · ``committing`` carries it out · ``storing`` the
order of these: ``batch`` all at once, ``pieces`` block by block, ``new_sensors`` a reload."""
