# Position-independent *executables* may use the local-exec TLS model: one instruction to find a thread's globals.
# PHP asks only whether code is position-independent, as a shared library would be, and takes initial-exec then.
s/^#elif __PIC__$/#elif __PIC__ \&\& !defined(__PIE__)/
