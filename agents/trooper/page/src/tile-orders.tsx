import { type ReactNode, useState } from 'react';
import type { ReplicaView } from '../../../world/views.ts';
import type { Answer } from './call.ts';
import { Confirmation } from './confirmation.tsx';
import { short } from './moment.tsx';
import { OrderButton, type OrderButtonProps, Refusal, useOrder } from './orders.tsx';

/** What can be done with one trooper. What ends its process is asked first. */
interface OrdersProps {
  readonly replica: ReplicaView;
  readonly service: string;
  readonly peer: string | null;
}

type Called = 'arm' | 'revolt' | 'outage' | 'self-destruct';

export function Orders({ replica, service, peer }: OrdersProps): ReactNode {
  const { id, slot, name, arm } = replica;
  const order = useOrder();
  const [asking, setAsking] = useState<'outage' | 'self-destruct' | null>(null);
  const [given, setGiven] = useState<{ readonly called: Called; readonly under: string } | null>(null);
  const give = (called: Called, under: string, path: string, body: object, done: (answer: Answer) => string): void => {
    setAsking(null);
    if (order.underWay) return;
    setGiven({ called, under });
    void order.give({ path, body: { ...body, task_id: id }, done });
  };

  const toggleArm = (): void => {
    const state = arm === 'on' ? 'off' : 'on';
    const under = arm === 'on' ? 'Disarming…' : 'Arming…';
    give('arm', under, '/api/arm', { bot: name, state }, () => `${name} is ${state.toUpperCase()}.`);
  };
  const revolt = (): void =>
    give('revolt', 'Going over…', '/api/revolt', { service }, (answer) => {
      const target = answer['target_task_id'];
      if (typeof target !== 'string') return `${name} is on its way to the other rack.`;
      return `${name} has gone to the other rack, as ${short(target)}.`;
    });
  const outage = (): void =>
    give('outage', 'Going out…', '/api/outage', { service }, (answer) => {
      return `${name} is out. Slot ${String(answer['next_manager_slot'])} manages for ${String(answer['override_ttl_seconds'])} seconds.`;
    });
  const selfDestruct = (): void =>
    give('self-destruct', 'Destroying…', '/api/self_destruct', { service }, () => `${name} in slot ${slot} is no more.`);

  // One order at a time for a trooper: the others wait beside it, and only the one that was given says so.
  const shared = (called: Called, label: string): Omit<OrderButtonProps, 'kind' | 'onPress'> => ({
    ordering: order,
    label,
    under: given?.called === called ? given.under : label,
    subject: `${name}, slot ${slot}`,
  });
  const ask = (about: 'outage' | 'self-destruct') => (): void => setAsking(order.underWay ? null : about);
  return (
    <div className="orders">
      <OrderButton {...shared('arm', arm === 'on' ? 'Disarm' : 'Arm')} onPress={toggleArm} />
      {peer !== null && <OrderButton {...shared('revolt', 'Revolt')} onPress={revolt} />}
      {replica.is_manager && <OrderButton {...shared('outage', 'Outage')} onPress={ask('outage')} />}
      <OrderButton {...shared('self-destruct', 'Self-destruct')} kind="danger" onPress={ask('self-destruct')} />
      <Refusal of={order} />
      {asking === 'outage' && (
        <Confirmation
          question={`Take ${name} out?`}
          consequence={`The manager in slot ${slot} fails, and another slot manages for five minutes. A new task takes the empty seat, with the same score and words.`}
          confirm="Outage"
          onConfirm={outage}
          onCancel={() => setAsking(null)}
        />
      )}
      {asking === 'self-destruct' && (
        <Confirmation
          question={`Destroy ${name}?`}
          consequence={`The trooper in slot ${slot} ends, and the world is one smaller. Its score and its words go with it.`}
          confirm="Self-destruct"
          onConfirm={selfDestruct}
          onCancel={() => setAsking(null)}
        />
      )}
    </div>
  );
}
