const URL_OF_SERVER = window.location.origin;

const $ = (id) => document.getElementById(id);
const socket = io(URL_OF_SERVER);

function item(job) {
  let line = $(`job-${job}`);
  if (!line) {
    line = document.createElement('li');
    line.id = `job-${job}`;
    line.innerHTML = '<progress></progress> <output></output>';
    $('jobs').append(line);
  }
  return line;
}

socket.on('connect', () => {
  $('state').textContent = 'connected';
});
socket.on('new job', ({ job, steps }) => {
  item(job).querySelector('progress').max = steps;
  socket.emit('watch', job);
});
socket.on('progress', ({ job, step }) => {
  item(job).querySelector('progress').value = step;
});
socket.on('result', ({ job, digest }) => {
  item(job).querySelector('output').value = `${digest.byteLength} bytes`;
});
socket.on('job done', ({ job }) => item(job).classList.add('done'));

$('start').addEventListener('submit', (event) => {
  event.preventDefault();
  fetch('/jobs', { method: 'POST', body: new URLSearchParams({ steps: $('steps').value }) });
});
