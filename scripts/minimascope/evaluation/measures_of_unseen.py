"""What scores and metrics of unseen classes are called. No scikit-learn is imported here."""

SCORE_NAMES = {
    "maximum_probability": "maximum probability",
    "entropy": "entropy",
    "energy": "energy",
    "maximum_logit": "maximum logit",
}
METRICS = {"auroc": "AUROC", "fpr95": "FPR at 95 %", "aupr": "AUPR"}
