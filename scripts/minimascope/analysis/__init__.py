"""From what was measured to tables, and from these to what readers see.

An argument that is named as a table holds rows of that table, as read from its file:
``measures`` of `collect.tidy`, ``disagreement`` of `evaluation.disagreement.compare_models`,
``conditions`` of `study.conditions.condition_rows`, ``ensembles`` of
`evaluation.ensembles.ensemble_table`, ``summary`` of `summary.summarise`, ``values`` of
`summary.seed_values` and ``models`` of `model_table.model_table`.
"""
