/** Which models share limits: those that are one model by several names. */

const DATE = /-(?:latest|\d{8}|\d{4}-\d{2}-\d{2}|\d{4})$/;

/** The model without the date of its version, and without `-latest`. */
export function undated(model: string): string {
  return model.replace(DATE, '');
}
