"""The same application and the same clients on Flask-SocketIO or python-socketio, and on Stoa."""
