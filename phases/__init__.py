"""The phases decide: a situation and a policy give an action."""
