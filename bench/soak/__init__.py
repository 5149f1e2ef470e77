"""A day of several people on one home, by a simulated clock: memory, store, speed, and the truth.

One process boots LLM OS once for each of four people of two teams and lets 24 hours pass. They do
what people do, mixed by chance: goals for the first time and again, goals of a kind that the crons
have made a tool of, plans, questions, goals that stop because a file was edited meanwhile, goals
that fail, undos, facts, sessions, chosen agents, tools that must be searched for, audits. The crons
of users, teams and the system run when the simulated clock says that they are due, as the daemon
runs them. The model is a script that works with the real tools on real files, and takes no time.

Whether a result is right is no word of LLM OS: each person has a desk that knows what every file
must hold (`bench.soak.desk`), computed without any model, and every run is held against it.
"""
