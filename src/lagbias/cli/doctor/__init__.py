"""``lagbias doctor``: the machine and the environment, what they cost, and remedies.

Each module measures facts and, apart from that, judges them: the functions ``judge`` are pure.
"""
