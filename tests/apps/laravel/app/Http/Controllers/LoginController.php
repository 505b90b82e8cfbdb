<?php

namespace App\Http\Controllers;

use Illuminate\Http\RedirectResponse;
use Illuminate\Http\Request;
use Illuminate\Routing\Controller;
use Illuminate\Support\Facades\Auth;
use Illuminate\View\View;

final class LoginController extends Controller
{
    public function form(): View
    {
        return view('login');
    }

    public function login(Request $request): RedirectResponse
    {
        if (!Auth::attempt($request->only('name', 'password'), $request->boolean('remember'))) {
            return back()->withErrors(['name' => 'Nobody has this name and this password.'])->onlyInput('name');
        }
        $request->session()->regenerate();
        return redirect()->intended('/');
    }

    public function logout(Request $request): RedirectResponse
    {
        Auth::logout();
        $request->session()->invalidate();
        return redirect('/');
    }
}
