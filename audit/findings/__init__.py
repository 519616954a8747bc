"""From tables to claims: each Finding is one estimate with its uncertainty, references and verdict."""
