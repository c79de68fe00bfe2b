"""The held-out evaluation of a starter model, asked through chela itself.

client: a throw-away chela and its endpoint · asking: every case's questions · scoring: what one answer is worth ·
danger: commands that destroy · calibration: whether the judge's probabilities can be believed · tables: figures and
Markdown · everyday: requests of a new user, for reading · speed: latency and throughput · selftest: checks of all this.
"""
