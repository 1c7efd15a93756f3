"""One page that answers the study's question and shows everything behind the answer."""
