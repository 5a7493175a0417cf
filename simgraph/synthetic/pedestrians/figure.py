"""The figure of a pedestrian: its parts, drawn from far to near."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simgraph.synthetic.pedestrians.canvas import Canvas, Part
from simgraph.synthetic.pedestrians.looks import Looks
from simgraph.synthetic.pedestrians.pose import Point, Pose, View, joints

__all__ = ["draw_figure"]

Joints = dict[str, NDArray[np.float64]]


def draw_figure(canvas: Canvas, looks: Looks, pose: Pose, view: View) -> None:
    """Draw a whole pedestrian.

    Args:
        canvas: to draw on.
        looks: of the identity.
        pose: moment of the walk.
        view: direction of view, and position on the canvas.
    """
    _Figure(canvas, looks, pose, view).draw()


class _Figure:
    """The state that all parts share, with one method per part."""

    def __init__(self, canvas: Canvas, looks: Looks, pose: Pose, view: View) -> None:
        self.canvas, self.looks, self.view = canvas, looks, view
        self.at: Joints = joints(looks, pose)
        self.front = float(np.cos(view.yaw))  # 1 faces the camera, -1 turns its back
        self.side = float(np.sin(view.yaw))
        self.thick = looks.girth * view.scale
        # The body's right side is the nearer one when it walks to the picture's left.
        self.near, self.far = ("r", "l") if self.side < 0 else ("l", "r")

    def draw(self) -> None:
        facing = self.front > 0
        self._arm(self.far, shade=-28)
        if facing:
            self._backpack()
            self._hair_behind()
        self._leg(self.far, shade=-30)
        self._leg(self.near, shade=0)
        self._skirt()
        self._neck()
        self._trunk()
        if self.looks.upper.cut in ("jacket", "coat"):
            self._tails()
            self._opening()
        self._logo()
        self._straps()
        self._arm(self.near, shade=-4)
        self._head()
        if not facing:
            self._hair_behind()
            self._backpack()
        self._shoulder_bag()

    def _xy(self, joint: str, up: float = 0.0, right: float = 0.0, forward: float = 0.0) -> Point:
        x, y, _ = self.view.project(self.at[joint] + np.array([right, up, forward]))
        return x, y

    def _half_width(self, half: float, depth: float) -> float:
        """Half the width of an upright elliptic cylinder in this view, in pixels."""
        return float(np.hypot(half * self.front, depth * self.side)) * self.view.scale

    def _leg(self, side: str, shade: int) -> None:
        lower, canvas, thick = self.looks.lower, self.canvas, self.thick
        hip, knee = self._xy(f"hip_{side}"), self._xy(f"knee_{side}")
        ankle, toe = self._xy(f"ankle_{side}"), self._xy(f"toe_{side}")
        light = 185 + shade
        canvas.limb(Part.SKIN, knee, ankle, 0.033 * thick, 0.022 * thick, light)
        canvas.limb(Part.SKIN, hip, knee, 0.05 * thick, 0.036 * thick, light)
        if lower.cut == "trousers":
            second = Part.LOWER_SECOND if lower.pattern == "two-tone" else Part.LOWER
            canvas.limb(second, knee, ankle, 0.042 * thick, 0.034 * thick, light)
            canvas.limb(Part.LOWER, hip, knee, 0.060 * thick, 0.046 * thick, light)
        elif lower.cut == "shorts":
            hem = _between(hip, knee, 0.82)
            canvas.limb(Part.LOWER, hip, hem, 0.062 * thick, 0.056 * thick, light)
            if lower.pattern == "two-tone":
                band, wide = _between(hip, knee, 0.7), 0.057 * thick
                canvas.limb(Part.LOWER_SECOND, band, hem, wide, wide, light)
        heel = self._xy(f"ankle_{side}", up=-0.012, forward=-0.012)
        canvas.limb(Part.SHOES, heel, toe, 0.026 * self.view.scale, 0.019 * self.view.scale, light)

    def _skirt(self) -> None:
        lower = self.looks.lower
        if lower.cut != "skirt":
            return
        length = 0.17 + 1.2 * lower.period  # from above the knee to below it
        waist = self._half_width(0.088 * self.looks.girth, 0.062 * self.looks.girth)
        hem = self._half_width(0.125 * self.looks.girth, 0.125 * self.looks.girth)
        self._drape(Part.LOWER, 0.07, -length, waist, hem)
        if lower.pattern == "two-tone":
            self._drape(Part.LOWER_SECOND, 0.06 - length, -length, 0.93 * hem, hem)

    def _drape(self, part: Part, top: float, bottom: float, upper: float, lower: float) -> None:
        """Draw cloth that hangs around the pelvis, as a trapezium with a lighter middle."""
        (x0, y0), (x1, y1) = self._xy("pelvis", up=top), self._xy("pelvis", up=bottom)
        for width, light in ((1.0, 150), (0.55, 200)):
            corners = [
                (x0 - width * upper, y0), (x0 + width * upper, y0),
                (x1 + width * lower, y1), (x1 - width * lower, y1),
            ]  # fmt: skip
            self.canvas.polygon(part, corners, light)

    def _trunk_line(self, up: float, half: float, depth: float) -> tuple[Point, Point]:
        """The left and right end of the trunk at a height between pelvis (0) and neck (1)."""
        x, y = _between(self._xy("pelvis"), self._xy("neck"), up)
        reach = self._half_width(half, depth)
        return (x - reach, y), (x + reach, y)

    def _trunk(self) -> None:
        looks, girth = self.looks, self.looks.girth
        loose = {"tshirt": 1.0, "shirt": 1.0, "jacket": 1.12, "coat": 1.14}[looks.upper.cut]
        levels = [
            (-0.08, 0.087 * girth * loose, 0.066 * girth * loose),
            (0.3, 0.080 * girth * loose, 0.062 * girth * loose),
            (0.72, looks.shoulders * 0.92 * loose, 0.072 * girth * loose),
            (0.88, looks.shoulders + 0.018, 0.058 * girth),
            (0.94, looks.shoulders * 0.86, 0.050 * girth),
            (1.0, 0.034, 0.034),
        ]
        lines = [self._trunk_line(*level) for level in levels]
        self.canvas.polygon(Part.UPPER, _ring(lines), 150)
        self.canvas.polygon(Part.UPPER, _ring([_narrow(line, 0.6) for line in lines]), 205)
        if looks.upper.pattern == "two-tone":
            split = 0.45 + 2.0 * looks.upper.period
            yoke = [self._trunk_line(split, looks.shoulders * 0.95 * loose, 0.071 * girth * loose)]
            self.canvas.polygon(Part.UPPER_SECOND, _ring(yoke + lines[3:]), 165)
            inside = [_narrow(line, 0.6) for line in yoke + lines[3:]]
            self.canvas.polygon(Part.UPPER_SECOND, _ring(inside), 205)

    def _tails(self) -> None:
        """Draw the part of a jacket or coat below the waist."""
        girth = self.looks.girth
        coat = self.looks.upper.cut == "coat"
        top = self._half_width(0.096 * girth, 0.076 * girth)
        hem = self._half_width(*([0.125 * girth] * 2 if coat else [0.1 * girth, 0.082 * girth]))
        self._drape(Part.UPPER, 0.03, -0.235 if coat else -0.075, top, hem)

    def _opening(self) -> None:
        """Draw the shirt that is visible in front of an open jacket or coat."""
        if self.front < 0.15:
            return
        forward, half = 0.07 * self.looks.girth, 0.028 * self.looks.girth * self.front
        bottom = -0.16 if self.looks.upper.cut == "coat" else -0.06
        (x0, y0), (x1, y1) = (
            self._xy("neck", up=-0.01, forward=0.5 * forward),
            self._xy("pelvis", up=bottom, forward=forward),
        )
        reach = half * self.view.scale
        corners = [
            (x0 - 1.2 * reach, y0),
            (x0 + 1.2 * reach, y0),
            (x1 + reach, y1),
            (x1 - reach, y1),
        ]
        self.canvas.polygon(Part.INNER, corners, 195)

    def _logo(self) -> None:
        """Draw a patch on chest and back."""
        upper = self.looks.upper
        if upper.pattern != "logo" or abs(self.front) < 0.3:
            return
        forward = np.sign(self.front) * 0.06 * self.looks.girth
        x, y = self._xy("neck", up=-0.135, forward=float(forward))
        rx = (0.03 + 0.35 * upper.period) * abs(self.front) * self.view.scale
        ry = (0.025 + 0.25 * upper.period) * self.view.scale
        box = [(x - rx, y - ry), (x + rx, y - ry), (x + rx, y + ry), (x - rx, y + ry)]
        self.canvas.polygon(Part.UPPER_SECOND, box, 195)

    def _arm(self, side: str, shade: int) -> None:
        looks, canvas, thick = self.looks, self.canvas, self.thick
        shoulder, elbow = self._xy(f"shoulder_{side}"), self._xy(f"elbow_{side}")
        wrist = self._xy(f"wrist_{side}")
        light = 185 + shade
        hand = _between(elbow, wrist, 1.14)
        if looks.bag == "hand" and side == "r":
            self._hand_bag(hand)
        canvas.limb(Part.SKIN, elbow, wrist, 0.026 * thick, 0.02 * thick, light)
        canvas.limb(Part.SKIN, wrist, hand, 0.02 * thick, 0.017 * thick, light)
        sleeve = Part.UPPER_SECOND if looks.upper.pattern == "two-tone" else Part.UPPER
        if looks.upper.cut == "tshirt":
            hem = _between(shoulder, elbow, 0.75)
            canvas.limb(Part.SKIN, shoulder, elbow, 0.032 * thick, 0.027 * thick, light)
            canvas.limb(sleeve, shoulder, hem, 0.033 * thick, 0.037 * thick, light)
            return
        wide = 1.0 if looks.upper.cut == "shirt" else 1.2
        canvas.limb(Part.UPPER, elbow, wrist, 0.030 * wide * thick, 0.025 * wide * thick, light)
        canvas.limb(sleeve, shoulder, elbow, 0.034 * wide * thick, 0.031 * wide * thick, light)

    def _neck(self) -> None:
        radius = 0.026 * self.view.scale
        self.canvas.limb(
            Part.SKIN, self._xy("neck", up=-0.03), self._xy("head", up=-0.03), radius, radius, 165
        )

    def _head(self) -> None:
        """Draw the hair around the head, and the visible part of the face."""
        scale, canvas = self.view.scale, self.canvas
        x, y = self._xy("head")
        rx, ry = (0.046 + 0.006 * abs(self.side)) * scale, 0.064 * scale
        scalp = Part.SKIN if self.looks.hair == "bald" else Part.HAIR
        canvas.ellipse(scalp, (x, y - 0.006 * scale), 1.1 * rx, 1.06 * ry, 170)
        if self.front < -0.55:
            return
        turned = 0.028 * self.side * scale
        open_face = self.looks.hair in ("bald", "short", "tail")
        narrow = (1.04 if open_face else 0.9) - 0.25 * abs(self.side)
        narrow -= 0.3 * max(0.0, -self.front)
        face = (x + turned, y + (0.016 if open_face else 0.012) * scale)
        canvas.ellipse(Part.SKIN, face, narrow * rx, 0.88 * ry, 185)
        canvas.ellipse(Part.SKIN, face, 0.55 * narrow * rx, 0.6 * ry, 210)
        if self.front > 0.3:
            for eye in (-0.4, 0.4):
                middle = (face[0] + (eye + 0.35 * self.side) * rx, face[1] - 0.12 * ry)
                canvas.ellipse(Part.FEATURE, middle, 0.13 * rx, 0.06 * ry, 120)
            mouth = (face[0] + 0.3 * self.side * rx, face[1] + 0.45 * ry)
            canvas.ellipse(Part.FEATURE, mouth, 0.22 * rx, 0.04 * ry, 150)

    def _hair_behind(self) -> None:
        """Draw hair behind the face or the shoulders."""
        length = {"bald": 0.0, "short": 0.0, "bob": 0.085, "long": 0.17, "tail": 0.15}
        fall, scale = length[self.looks.hair], self.view.scale
        if not fall:
            return
        behind = 0.03
        top = self._xy("head", up=0.02, forward=-behind)
        end = self._xy("head", up=-fall, forward=-behind - 0.012)
        if self.looks.hair == "tail":
            start = self._xy("head", up=0.015, forward=-0.052)
            end = self._xy("head", up=-fall, forward=-0.075)
            self.canvas.limb(Part.HAIR, start, end, 0.02 * scale, 0.013 * scale, 175)
            return
        r0, r1 = 0.052 * scale, (0.058 if self.looks.hair == "bob" else 0.05) * scale
        self.canvas.limb(Part.HAIR, top, end, r0, r1, 175)

    def _backpack(self) -> None:
        if self.looks.bag != "backpack":
            return
        scale = self.view.scale
        x, y = self._xy("neck", up=-0.155, forward=-0.105 * self.looks.girth**0.5)
        rx = self._half_width(0.085, 0.05)
        for share, light in ((1.0, 150), (0.6, 195)):
            self._rounded(Part.BAG, (x, y), share * rx, (0.115 - 0.03 * (1 - share)) * scale, light)
        self.canvas.limb(
            Part.BAG, (x - 0.6 * rx, y + 0.045 * scale), (x + 0.6 * rx, y + 0.045 * scale),
            0.006 * scale, 0.006 * scale, 120,
        )  # fmt: skip

    def _rounded(self, part: Part, center: Point, rx: float, ry: float, light: int) -> None:
        x, y = center
        cut = 0.35 * min(rx, ry)
        corners = [
            (x - rx, y - ry + cut), (x - rx + cut, y - ry), (x + rx - cut, y - ry),
            (x + rx, y - ry + cut), (x + rx, y + ry - cut), (x + rx - cut, y + ry),
            (x - rx + cut, y + ry), (x - rx, y + ry - cut),
        ]  # fmt: skip
        self.canvas.polygon(part, corners, light)

    def _straps(self) -> None:
        """Draw the straps of a bag over chest or back."""
        looks, width = self.looks, 0.011 * self.view.scale
        forward = 0.065 * looks.girth * (1.0 if self.front > 0 else -1.0)
        if looks.bag == "backpack" and self.front > 0.1:
            for sign in (-1.0, 1.0):
                right = 0.62 * sign * looks.shoulders
                top = self._xy("neck", up=-0.012, right=right, forward=0.3 * forward)
                end = self._xy("neck", up=-0.19, right=1.1 * right, forward=forward)
                self.canvas.limb(Part.BAG, top, end, width, width, 165)
        if looks.bag == "shoulder":
            top = self._xy("neck", up=-0.01, right=-0.5 * looks.shoulders, forward=0.4 * forward)
            end = self._xy("pelvis", up=0.03, right=0.085 * looks.girth, forward=0.4 * forward)
            self.canvas.limb(Part.BAG, top, end, width, width, 165)

    def _shoulder_bag(self) -> None:
        """Draw a bag at the right hip, unless the body hides it."""
        if self.looks.bag != "shoulder":
            return
        scale, girth = self.view.scale, self.looks.girth
        x, y = self._xy("pelvis", up=-0.025, right=0.11 * girth, forward=0.0)
        rx, ry = self._half_width(0.032, 0.075), 0.058 * scale
        if self.side > 0.5:  # the right hip is the far one: only edges of the bag would show
            return
        for share, light in ((1.0, 145), (0.65, 195)):
            self._rounded(Part.BAG, (x, y), share * rx, share * ry, light)

    def _hand_bag(self, hand: Point) -> None:
        scale = self.view.scale
        rx, ry = self._half_width(0.03, 0.068), 0.05 * scale
        x, y = hand[0], hand[1] + 0.055 * scale + ry
        for sign in (-0.5, 0.5):
            ends = (hand, (x + sign * rx, y - 0.9 * ry))
            self.canvas.limb(Part.BAG, *ends, 0.006 * scale, 0.006 * scale, 150)
        for share, light in ((1.0, 150), (0.6, 195)):
            self._rounded(Part.BAG, (x, y), share * rx, share * ry, light)


def _between(start: Point, end: Point, share: float) -> Point:
    return (
        start[0] + share * (end[0] - start[0]),
        start[1] + share * (end[1] - start[1]),
    )


def _narrow(line: tuple[Point, Point], share: float) -> tuple[Point, Point]:
    middle = _between(*line, 0.5)
    return _between(middle, line[0], share), _between(middle, line[1], share)


def _ring(lines: list[tuple[Point, Point]]) -> list[Point]:
    """An outline up along the left ends and down along the right ends."""
    return [left for left, _ in lines] + [right for _, right in reversed(lines)]
