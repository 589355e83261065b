"""How resets of counts are sent, whichever API counts."""

# Resets after which the record is saved.
BATCH = 20
# How often a reset that is proved not to have happened is sent in one run.
MAX_ATTEMPTS = 3
# Calls that may come in between an accepted reset and reading it back.
NEW_CALLS = 3
# Marks what is done in a record as the work of others.
OTHERS = "others"
