// Runs in a cluster's network and pid namespaces, and so ends with the cluster. It gets a listener of the machine's own
// network from its parent: connections that arrive there are dialled on from here, and no route has to join the two.
import { connect, createServer } from 'node:net';
import type { Server } from 'node:net';

const [host = '', port = ''] = process.argv.slice(2);

process.on('message', (_message, listener) => {
  const server = createServer({ allowHalfOpen: true }, (outside) => {
    const inside = connect({ host, port: Number(port), allowHalfOpen: true });
    outside.on('error', () => inside.destroy());
    inside.on('error', () => outside.destroy()); // refused, when nothing listens yet
    outside.on('close', () => inside.destroy());
    inside.on('close', () => outside.destroy());
    outside.setNoDelay(true);
    inside.setNoDelay(true);
    outside.pipe(inside).pipe(outside);
  });
  server.listen(listener as Server, () => process.send?.('listening'));
});
