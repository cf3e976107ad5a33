//! Nothing but the tests beside it: they read the sources of the project.
