# The boot program: which of the two slots runs. It lies outside both, no update touches it, and nothing starts that it has not verified.
# It knows the layout of what is signed, and nothing else of the protocol or of the application.
