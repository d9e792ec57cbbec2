// A Socket.IO server that sends everybody what it is given: `node server.mjs PORT`.
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const http = createServer();
const io = new Server(http);
io.on('connection', (socket) => {
  socket.on('publish', (data) => io.emit('update', data));
});
http.listen(Number(process.argv[2]), '127.0.0.1');
