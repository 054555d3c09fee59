"""Four eyes on everything that steers money: a change waits for another person.

Once a tenant is opened, the database refuses every write to governed columns that is not exactly
what an approved change request says. Whoever wants to write runs the write as a draft: the
database notes what it would do, the draft is rolled back, and the notes become the request.
"""
