//! A plan for people.
