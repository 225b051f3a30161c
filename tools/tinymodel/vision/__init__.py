"""The vision tower: what pictures show, how they are drawn, and how the tower learns to name them."""
