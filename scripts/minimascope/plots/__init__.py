"""Figures of the tables of a study, each a function of the tables that `registry` names for it.

What follows the tables says whose rows are drawn: those of a ``network`` on a ``dataset``, or of
all networks on it. Without any rows a figure says itself why it is empty, or raises `InputError`
where rows were to be expected. It is to be drawn in the settings of `style.styled`.
"""
