import { Server, ServerCredentials } from '@grpc/grpc-js';
import { type ChatServiceServer, ChatServiceService } from '#proto/org/harshit/messenger/chat/messages.ts';

/** grpc-js alone: a unary call that is answered at once. Tells its address to whoever started it. */
const server = new Server();
let seq = 0n;
const echo: ChatServiceServer = {
  sendMessage: (_call, callback) => {
    const answer = { deliveryStatus: true, conversation: '', seq: ++seq, clientId: '', sentAt: 0n };
    callback(null, { ...answer, committed: 1, failed: 0, failures: [] });
  },
  streamMessage: (_call, callback) => callback(null),
  sendMessagesGrpc: (call) => call.end(),
};
server.addService(ChatServiceService, echo);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.send?.({ url: '', messenger: `127.0.0.1:${port}` });
});
process.on('SIGTERM', () => process.exit());
