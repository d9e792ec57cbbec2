const URL_OF_SERVER = window.location.origin;

const $ = (id) => document.getElementById(id);
let socket;

function show(text, kind) {
  const line = document.createElement('p');
  line.className = kind;
  line.textContent = text;
  $('messages').append(line);
  return line;
}

$('login').addEventListener('submit', (event) => {
  event.preventDefault();
  socket?.close();
  socket = io(URL_OF_SERVER, { auth: { name: $('name').value }, forceNew: true });

  socket.on('connect_error', (error) => {
    $('refusal').value = error.data?.name ? `${error.message}: ${error.data.name}` : error.message;
  });
  socket.on('welcome', ({ name, room }) => {
    document.title = `Chat: ${name}`;
    $('login').hidden = true;
    document.querySelector('main').hidden = false;
    $('room').textContent = room;
  });
  socket.on('people', ({ room, people }) => {
    if (room === $('room').textContent) $('people').value = people.join(', ');
  });
  socket.on('said', ({ from, text }) => show(`${from}: ${text}`, 'said'));
  socket.on('announcement', ({ text }) => show(text, 'announcement'));
  socket.on('left', ({ name, reason }) => show(`${name} left (${reason})`, 'left'));
  socket.on('problem', (text) => show(text, 'problem'));
  socket.on('typing', ({ name, typing }) => {
    $('typing').textContent = typing ? `${name} is typing` : '';
  });
  socket.on('private', ({ from, text }, seen) => {
    show(`${from} to you: ${text}`, 'private');
    seen(document.title.slice(6));
  });
  socket.on('seen', ({ by, text }) => show(`${by} has seen: ${text}`, 'seen'));
  socket.on('picture', ({ from, name, data }) => {
    const image = document.createElement('img');
    image.alt = `${name} of ${from}`;
    image.src = window.URL.createObjectURL(new Blob([data]));
    show(`${from}: `, 'picture').append(image);
  });
  socket.on('disconnect', (reason) => show(`You left (${reason})`, 'gone'));
});

let pause;
$('text').addEventListener('input', () => {
  socket.emit('typing', true);
  clearTimeout(pause);
  pause = setTimeout(() => socket.emit('typing', false), 1000);
});

$('say').addEventListener('submit', (event) => {
  event.preventDefault();
  socket.emit('say', $('text').value, () => {
    $('text').value = '';
  });
});

$('move').addEventListener('submit', (event) => {
  event.preventDefault();
  // The name is shown before the list of its people comes.
  $('room').textContent = $('where').value;
  socket.emit('join', $('where').value, ({ room }) => {
    $('room').textContent = room;
    $('messages').replaceChildren();
  });
});

$('private').addEventListener('submit', (event) => {
  event.preventDefault();
  const [whom, text] = [$('whom').value, $('secret').value];
  socket.emit('private', whom, text, ({ error }) => show(error ?? `you to ${whom}: ${text}`, 'private'));
});

$('picture').addEventListener('change', async (event) => {
  const [file] = event.target.files;
  socket.emit('picture', await file.arrayBuffer(), file.name, (size) => {
    $('receipt').value = `${size} bytes sent`;
  });
});

$('leave').addEventListener('click', () => socket.emit('leave'));
