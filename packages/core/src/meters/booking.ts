/** What a meter has booked for a charge, and where: settling brings it up to date, so that nothing is charged or given back twice. */
export interface Booking {
  /** At first the charge's cost. What is void of a refund stays booked. */
  cost: number;
  /** Where in the row; meaningful to the rule alone. */
  place: number;
}

/** Lowers what is booked to `actual`, or by as much as there is to give back. Returns what is given back. */
export function giveBack(booking: Booking, actual: number, most: number): number {
  const refund = booking.cost - actual;
  if (refund > most) {
    booking.cost -= most;
    return most;
  }
  booking.cost = actual;
  return refund;
}
