"""The teacher's kit: pages, questions and plans, with the lessons' own numbers."""
