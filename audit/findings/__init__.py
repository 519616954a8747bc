"""From tables to claims: a Finding is one estimate with uncertainty, references and verdict."""
