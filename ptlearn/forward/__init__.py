"""The fast forward pass. Nothing in it is public: its names may change."""
