"""How good the answers are when nobody has labelled the pictures, or a few: accuracy, class mix, what to review."""
